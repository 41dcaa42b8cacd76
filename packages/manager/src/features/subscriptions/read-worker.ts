// The thread that reads one large subscription; see content-reader.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { ProblemError, toProblem } from '@sbox/core';
import { readContent } from './read-content.ts';
import type { ReadAnswer, ReadJob } from './content-reader.ts';

const { bytes, before } = workerData as ReadJob;

function answer(): ReadAnswer {
  try {
    return { read: readContent(bytes, before) };
  } catch (error) {
    if (error instanceof ProblemError) return { problem: toProblem(error) };
    throw error;
  }
}

// The port of a thread; only windows have origins.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(answer());
