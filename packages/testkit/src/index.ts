export {
  type AgentProcess,
  type AgentProcessOptions,
  type AgentProgram,
  type LocalStatus,
  createAgentProcess,
  writeTokenFile,
} from './agent-process.ts';
export { type Ended } from './commands.ts';
export { type Certificate, createSelfSigned } from './certificate.ts';
export { type Fleet, type FleetOptions, startFleet } from './fleet.ts';
export { freePorts } from './free-ports.ts';
export { type ListenOptions, type Listening, listen } from './listen.ts';
export { type Origin, startOrigin } from './origin.ts';
export { type ManagerProcess, type ManagerProcessOptions, startManagerProcess } from './manager-process.ts';
export { type Exit, type ProcessOptions, type RunningProcess, startProcess } from './processes.ts';
export { type ProviderAnswer, type ProviderMode, providerModes } from './provider-answers.ts';
export { type ProviderNode } from './provider-nodes.ts';
export { type Provider, type ProviderOptions, type ProviderRequest, startProvider } from './provider.ts';
export { type RunningSingBox, type SingBoxOptions, pinnedSingBox, startSingBox } from './sing-box.ts';
export {
  type Tamper,
  type TamperingProxy,
  type WireAnswer,
  type WireRequest,
  startTamperingProxy,
} from './tampering-proxy.ts';
export {
  type FoundProcess,
  type TestDirectory,
  killProcessesUnder,
  openTestDirectory,
  processesUnder,
} from './test-directory.ts';
export {
  type ProxiedResponse,
  type ProxiedStream,
  type ThroughProxyOptions,
  openStreamThrough,
  requestThrough,
} from './through-proxy.ts';
export { type EngineWatch, watchEngine } from './engine-watch.ts';
