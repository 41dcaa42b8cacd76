/** What the manager counts. */
export const metricTable = {
  sbox_http_requests_total: {
    type: 'counter',
    help: 'Requests answered, by route and status',
    labels: ['method', 'route', 'status'],
  },
  sbox_http_request_seconds: { type: 'histogram', help: 'Time to answer, by route', labels: ['route'] },
  sbox_servers: { type: 'gauge', help: 'Servers by state', labels: ['state'] },
  sbox_agent_sockets: { type: 'gauge', help: 'Agents that hold a socket' },
  sbox_events_total: { type: 'counter', help: 'Events by type', labels: ['type'] },
} as const;
