/**
 * What the agent must know to run sing-box: its version, its commands, the overlay, and how it takes a new rendition.
 * Small on purpose: nothing of formats or of rendering is behind this door.
 */
export { checkReferences, type Finding, type FindingCode } from './checks/check-references.ts';
export {
  parseVersion,
  plainText,
  singBox,
  type EngineCommand,
  type EngineComplaint,
  type EngineVersion,
} from './running/commands.ts';
export { programArch, programHeadBytes } from './running/program-arch.ts';
export { findSingBox, type EngineSearch, type FoundEngine } from './running/find.ts';
export { listenPorts, type ListenPort } from './listen-ports.ts';
export { overlay, probeTag, type Overlaid, type Probe, type Slot } from './running/overlay.ts';
export { defaultsOf, shapeOf, type Defaults } from './running/shape.ts';
export { findUnshared } from './running/sharing.ts';
export type { Choices } from './running/trial.ts';
