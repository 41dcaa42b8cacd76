import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ProblemError } from '@sbox/core';

/** Of SQLite (https://sqlite.org/rescode.html#busy): another holds the lock. */
const busy = 5;

/**
 * Keeps a second manager away from the same data, as long as this process lives: the lock is one of the kernel's, so
 * that no crash leaves it behind.
 * @throws ProblemError `manager.running`
 */
export function lockDataDirectory(directory: string): Disposable {
  const lock = new DatabaseSync(path.join(directory, 'lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== busy) throw error;
    throw new ProblemError('manager.running', `another manager works on ${directory}`, { cause: error });
  }
  return { [Symbol.dispose]: () => lock.close() };
}
