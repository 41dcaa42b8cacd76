/** Whether what is sent there crosses a network that others can read. */
export function isOpenWire({ protocol, hostname }: URL): boolean {
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return protocol !== 'https:' && !isLoopback;
}
