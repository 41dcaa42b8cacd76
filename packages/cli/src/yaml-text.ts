// A file of its own, loaded when YAML is read or printed: the bundler gives names to what is imported, not to what is awaited.
export { isAlias, isMap, isScalar, isSeq, LineCounter, parse, parseDocument, stringify } from 'yaml';
