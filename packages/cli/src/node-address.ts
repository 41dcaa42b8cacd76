interface Addressed {
  readonly server: string;
  readonly server_port?: number | undefined;
}

/** `host:port`, with brackets around an IPv6 address; some nodes have no port. */
export const nodeAddress = ({ server, server_port }: Addressed): string => {
  const host = server.includes(':') ? `[${server}]` : server;
  return server_port === undefined ? host : `${host}:${server_port}`;
};
