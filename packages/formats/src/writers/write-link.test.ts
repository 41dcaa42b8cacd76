import { ProblemError } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import { parseLink, writeLink, type Node, type NodeDraft } from '../index.ts';

const nodeOf = (draft: NodeDraft): Node => ({ id: 'n_0000000000000000', ...draft, tag: draft.tag ?? '' });
const again = (link: string): string => writeLink(nodeOf(parseLink(link)));
const jsonOf = (link: string): unknown => JSON.parse(Buffer.from(link.replace('vmess://', ''), 'base64').toString());

describe('the form that is written', () => {
  test.each([
    ['ss://aes-256-gcm:p%40ss@a.example.net:8388#One', 'ss://YWVzLTI1Ni1nY206cEBzcw@a.example.net:8388#One'],
    [
      'ss://2022-blake3-aes-128-gcm:MDEy%3D@a.example.net:1#One',
      'ss://2022-blake3-aes-128-gcm:MDEy%3D@a.example.net:1#One',
    ],
    [
      'ss://none:pw@[2001:db8::1]:1?plugin=obfs-local%3Bobfs%3Dtls#One',
      'ss://bm9uZTpwdw@[2001:db8::1]:1?plugin=obfs-local%3Bobfs%3Dtls#One',
    ],
    [
      'vless://u-1@a.example.net:443?security=reality&pbk=key&sid=0a&flow=xtls-rprx-vision&spx=%2F#One',
      'vless://u-1@a.example.net:443?security=reality&fp=chrome&pbk=key&sid=0a&type=tcp&flow=xtls-rprx-vision&encryption=none&spx=%2F#One',
    ],
    [
      'vless://u-1@a.example.net:443?type=ws&path=%2Fp&ed=2048#One',
      'vless://u-1@a.example.net:443?security=none&type=ws&path=%2Fp%3Fed%3D2048&encryption=none#One',
    ],
    [
      'hy2://u:p@a.example.net:443,5000-6000?hop-interval=15-30#One',
      'hysteria2://u%3Ap@a.example.net:443?mport=443%2C5000-6000&hop-interval=15-30#One',
    ],
    ['tuic://u-1:p@a.example.net?alpn=h3#One', 'tuic://u-1:p@a.example.net:443?alpn=h3#One'],
    ['socks://dTpw@a.example.net#One', 'socks5://u:p@a.example.net:1080#One'],
    ['https://u:p@a.example.net#One two', 'https://u:p@a.example.net:443#One%20two'],
    [
      'wg://key@a.example.net?publickey=pub&address=10.0.0.2&reserved=AAEC#One',
      'wireguard://key@a.example.net:51820?address=10.0.0.2%2F32&publickey=pub&reserved=0%2C1%2C2#One',
    ],
  ])('%s', (link, written) => {
    expect(again(link)).toBe(written);
    expect(again(written)).toBe(written);
  });

  test('VMess is the JSON of v2rayN', () => {
    expect(
      jsonOf(again('vmess://u-1@a.example.net:443?type=grpc&serviceName=s&security=tls&sni=s.example.org#One')),
    ).toEqual({
      v: '2',
      ps: 'One',
      add: 'a.example.net',
      port: '443',
      id: 'u-1',
      aid: '0',
      scy: 'auto',
      net: 'grpc',
      path: 's',
      tls: 'tls',
      sni: 's.example.org',
    });
  });

  test('VMess is a URI when JSON would mean something else', () => {
    const node = nodeOf({
      type: 'vmess',
      server: 'a.example.net',
      server_port: 1,
      uuid: 'u-1',
      tag: 'One',
      extra: { ps: 'x' },
    });
    expect(writeLink(node)).toMatch(/^vmess:\/\/u-1@a\.example\.net:1\?.*&ps=x#One$/);
  });
});

describe('what no link can carry', () => {
  const problemOf = (node: Partial<NodeDraft>): string => {
    try {
      return writeLink(
        nodeOf({ type: 'trojan', server: 'a.example.net', server_port: 1, password: 'secret', tag: 'T', ...node }),
      );
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      expect(error.code).toBe('node.unsupported');
      return error.message;
    }
  };

  test.each([
    [{ detour: 'n_1' }, 'a link would lose or change detour'],
    [{ tls: { enabled: true, certificate: ['pem'] } }, 'a link would lose or change tls.certificate'],
    [
      { shadow_tls: { version: 3, password: 'secret', tls: { enabled: true, server_name: 'h' } } } as const,
      'a link would lose or change shadow_tls',
    ],
    [{ type: 'sudoku' } as const, 'there is no link for nodes of type sudoku'],
    [{ password: 'secret'.repeat(20_000) }, 'the link would be longer than 65536 bytes'],
  ])('%j', (fields, message) => {
    expect(problemOf(fields)).toBe(message);
  });
});
