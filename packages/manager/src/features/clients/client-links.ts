import { createHmac } from 'node:crypto';
import { encodeBase62, hex, type RandomBytes } from '@sbox/core';
import { readIfExists, writeAtomic } from '@sbox/daemon/files';
import { sha256 } from '@sbox/daemon/keys';

/**
 * The secret part of links. It is stored nowhere: it is made from a key beside the database and the number of the link, and
 * can be shown again as often as is wanted; the database has its SHA-256 only. So a copy of the database opens no link, and
 * with another key the old links work on, only they cannot be shown.
 */
export interface ClientLinks {
  tokenOf(client: { readonly id: string; readonly rotation: number }): string;
}

const keyBytes = 32;
/** 160 bits: it cannot be guessed, and its picture is small. */
const tokenBytes = 20;
/** As long as every token of ours. */
const tokenForm = /^[0-9A-Za-z]{27}$/;

export async function openClientLinks(file: string, randomBytes: RandomBytes): Promise<ClientLinks> {
  let key = await readIfExists(file);
  if (key?.length !== keyBytes) {
    key = Buffer.from(randomBytes(keyBytes));
    await writeAtomic(file, key);
  }
  return createClientLinks(key);
}

const createClientLinks = (key: Uint8Array): ClientLinks => ({
  tokenOf: ({ id, rotation }) =>
    encodeBase62(createHmac('sha256', key).update(`${id} ${rotation}`).digest().subarray(0, tokenBytes)),
});

/** What is stored of a token: 160 random bits need no slow hash. */
export const digestOfToken = (token: string): string => hex(sha256(Buffer.from(token)));

/** What cannot be a token is looked for as one that nobody has, so that it takes as long. */
export const lookedFor = (text: string): string => digestOfToken(tokenForm.test(text) ? text : '');
