import { ProblemError } from '@sbox/core';
import type { ShadowTls, Tls } from '../node.ts';
import { setFields, takeFlag, takeList, takeText, type Params } from '../params.ts';
import { takeUtls } from './tls.ts';

/** Settings of ShadowTLS have this in front, so that they do not mix with those of the node behind it. */
export const shadowTlsPrefix = 'shadow-tls.';

const hostKey = `${shadowTlsPrefix}host`;
const versionKey = `${shadowTlsPrefix}version`;
const passwordKey = `${shadowTlsPrefix}password`;

/**
 * Reads `shadow-tls.{host,version,password,alpn,fp,insecure}`. Undefined without any of the first three. Version 2 is what
 * clients take when none is named.
 * @throws ProblemError `node.missing-field`, `node.unsupported`
 */
export function takeShadowTls(params: Params): ShadowTls | undefined {
  const host = takeText(params, hostKey);
  const version = takeText(params, versionKey);
  const password = takeText(params, passwordKey);
  if (host === undefined && version === undefined && password === undefined) return undefined;
  if (host === undefined) throw new ProblemError('node.missing-field', 'the host that ShadowTLS shows is missing');
  const number = Number(version ?? 2);
  if (number !== 1 && number !== 2 && number !== 3) {
    throw new ProblemError('node.unsupported', 'the version of ShadowTLS is none of 1, 2 and 3');
  }
  if (password === undefined && number > 1) {
    throw new ProblemError('node.missing-field', 'the password of ShadowTLS is missing');
  }
  return { version: number, ...(password === undefined ? {} : { password }), tls: takeShadowTlsTls(params, host) };
}

const takeShadowTlsTls = (params: Params, host: string): Tls =>
  setFields<{ -readonly [Key in keyof Tls]: Tls[Key] }>(
    { enabled: true, server_name: host },
    {
      insecure: takeFlag(params, `${shadowTlsPrefix}insecure`) || undefined,
      alpn: takeList(params, `${shadowTlsPrefix}alpn`),
      // Clash has one fingerprint for the proxy, and ShadowTLS is what speaks TLS there.
      utls: takeUtls(params, `${shadowTlsPrefix}fp`) ?? takeUtls(params, 'fp'),
    },
  );
