/** Whether what is sent there crosses a network that others can read. */
export function isOpenWire({ protocol, hostname }: URL): boolean {
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
  return protocol !== 'https:' && !isLoopback;
}
