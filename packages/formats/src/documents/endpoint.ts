/** `host:port`, IPv6 in brackets. */
export function splitEndpoint(text: string): { readonly host: string; readonly port: string } {
  const endpoint = text.trim();
  const colon = endpoint.lastIndexOf(':');
  const hasPort = colon > endpoint.lastIndexOf(']');
  return { host: hasPort ? endpoint.slice(0, colon) : endpoint, port: hasPort ? endpoint.slice(colon + 1) : '' };
}
