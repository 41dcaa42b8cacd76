// The package carries no types; this is what the identity provider of tests uses of it.
declare module 'oidc-provider' {
  import type { IncomingMessage, Server } from 'node:http';

  interface Account {
    readonly accountId: string;
    claims(): Record<string, unknown>;
  }

  export interface Configuration {
    readonly clients: readonly Readonly<Record<string, unknown>>[];
    readonly claims: Readonly<Record<string, readonly string[]>>;
    readonly scopes: readonly string[];
    readonly cookies: { readonly keys: readonly string[] };
    readonly jwks: { readonly keys: readonly object[] };
    readonly pkce: { required(): boolean };
    findAccount(context: unknown, sub: string): Account | undefined;
  }

  interface Context {
    readonly path: string;
    readonly req: IncomingMessage;
    status: number;
    body: unknown;
  }

  export class Provider {
    constructor(issuer: string, configuration: Configuration);
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): void;
    listen(port: number, host: string, ready: () => void): Server;
  }
}
