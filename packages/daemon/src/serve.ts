export {
  mount,
  type Caller,
  type Guard,
  type GuardedRequest,
  type Handlers,
  type MountOptions,
  type RequestContext,
  type Replay,
  type ReplayAnswer,
} from './http/mount.ts';
export { createApp, type AppOptions, type RequestRecord } from './http/app.ts';
export { startListener, type Listener, type ListenerOptions, type Upgrade } from './http/listener.ts';
