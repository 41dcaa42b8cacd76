import { watch } from 'node:fs';

/**
 * Tells about changes in a directory; undefined where that cannot be had: the directory is not there, or the machine has
 * no more notices to give. Nothing may depend on it alone.
 */
export function watchDirectory(
  directory: string,
  onChange: (name: string | null) => void,
  onGone: () => void = () => {},
): Disposable | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, (_, name) => onChange(name));
    const close = (): void => {
      watcher.close();
      onGone();
    };
    watcher.on('error', close);
    return { [Symbol.dispose]: close };
  } catch {
    return undefined;
  }
}
