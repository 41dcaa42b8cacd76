type ReadValue = (text: string) => unknown;

const text: ReadValue = (value) => value;
const flag: ReadValue = (value) => (value === 'true' ? true : value === 'false' ? false : undefined);
const int: ReadValue = (value) => (/^\d{1,10}$/.test(value) ? Number(value) : undefined);
const intOrText: ReadValue = (value) => int(value) ?? value;

/**
 * Fields of sing-box's dialler that are not part of a node, and are kept in its `extra`. Those that name another part of
 * a document or a file (`domain_resolver`, `detour`, `certificate_path`) are missing: elsewhere they would point nowhere.
 * @see https://sing-box.sagernet.org/configuration/shared/dial/
 */
export const singBoxOtherFields: Readonly<Record<string, ReadValue>> = {
  bind_interface: text,
  inet4_bind_address: text,
  inet6_bind_address: text,
  routing_mark: intOrText,
  reuse_addr: flag,
  netns: text,
  network_strategy: text,
  fallback_delay: text,
};
