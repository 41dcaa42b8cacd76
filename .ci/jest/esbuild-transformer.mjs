// Compiles one TypeScript module with esbuild for jest; source maps keep v8's coverage and stack traces right.
import { createHash } from 'node:crypto';
import { transformSync, version } from 'esbuild';

const options = { loader: 'ts', format: 'esm', target: 'node24', sourcemap: 'inline', sourcesContent: true };

export default {
  canInstrument: false,
  getCacheKey: (source, path, { instrument }) =>
    createHash('sha1')
      .update(JSON.stringify([version, options, instrument, path, source]))
      .digest('hex'),
  process: (source, path) => ({ code: transformSync(source, { ...options, sourcefile: path }).code }),
};
