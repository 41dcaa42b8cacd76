import 'reflect-metadata';
import { domainToASCII } from 'node:url';
import { SubjectAlternativeNameExtension, type JsonGeneralName, type X509Certificate } from '@peculiar/x509';
import ipaddr from 'ipaddr.js';

/** Names in the form that a certificate holds: each once, addresses in their shortest form, host names in ASCII. */
export function canonicalNames(names: readonly string[]): readonly JsonGeneralName[] {
  const byText = new Map(
    names.map((name) => {
      const entry = canonicalName(name);
      return [textOf(entry), entry];
    }),
  );
  return [...byText.keys()].toSorted().flatMap((text) => byText.get(text) ?? []);
}

/** Whether a certificate is for exactly these names. */
export function coversNames(certificate: X509Certificate, names: readonly JsonGeneralName[]): boolean {
  const present = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  const held = canonicalNames(present.map(({ value }) => value));
  return held.map(textOf).join() === names.map(textOf).join();
}

function canonicalName(name: string): JsonGeneralName {
  const bare = name.replace(/^\[|\]$/g, '');
  if (ipaddr.isValid(bare)) return { type: 'ip', value: ipaddr.parse(bare).toString() };
  return { type: 'dns', value: domainToASCII(bare) };
}

const textOf = ({ type, value }: JsonGeneralName): string => `${type}:${value}`;
