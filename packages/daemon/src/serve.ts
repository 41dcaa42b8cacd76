export {
  anonymous,
  type AddressOf,
  type Caller,
  type Connection,
  type Exchange,
  type GuardedRequest,
  type Step,
} from './http/exchange.ts';
export {
  createGatekeeper,
  passGate,
  refuseWithoutPermission,
  type Allowance,
  type Gatekeeper,
} from './http/gatekeeper.ts';
export { mount, refuseOtherMethods, type Handlers, type MountOptions } from './http/mount.ts';
export { createApp, type App, type AppOptions, type RequestRecord } from './http/app.ts';
export { startListener, type Listener, type ListenerOptions, type TlsIdentity, type Upgrade } from './http/listener.ts';
export { refuseConnection, textPage } from './http/problem-answer.ts';
export type { RequestContext } from './http/steps/handle.ts';
export type { Replay, ReplayAnswer } from './http/steps/replay.ts';
export type { Trace } from './http/trace.ts';
