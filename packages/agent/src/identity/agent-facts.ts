import os from 'node:os';
import { version } from '../version.ts';

/** What this program and its machine are, for status and enrolment. */
export const agentFacts = (): { version: string; os: string; arch: string; host_name: string } => ({
  version,
  os: os.platform(),
  arch: os.arch(),
  host_name: os.hostname(),
});
