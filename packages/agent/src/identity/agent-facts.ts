import os from 'node:os';
import { agentFeatures, type AgentFacts } from '@sbox/protocol';
import { version } from '../version.ts';

/** What this program and its machine are, for status and enrolment. */
export const agentFacts = (): AgentFacts => ({
  version,
  os: os.platform(),
  arch: os.arch(),
  host_name: os.hostname(),
  features: [...agentFeatures],
});
