// Certificates for tests of TLS, made when they are needed: an authority, and certificates of it for 127.0.0.1 and localhost that serve
// for servers and clients. Written out in DER by hand, which for one fixed form is short, so no other program is needed.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** PEM. */
  readonly ca: string;
  issue(name: string): Certificate;
}

const validDays = 2;

export function certificateAuthority(name = 'test authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const self = { issuer: name, issuerKey: keys.privateKey };
  const isAuthority = extension('551d13', true, sequence(tag(0x01, Buffer.of(0xff))));
  const ca = certificate({ ...self, subject: name, publicKey: keys.publicKey, extensions: [isAuthority] });
  return {
    ca,
    issue(subject) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const cert = certificate({ ...self, subject, publicKey: own.publicKey, extensions: [names, purposes] });
      return { cert, key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

interface CertificateParts {
  readonly issuer: string;
  readonly issuerKey: KeyObject;
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certificate({ issuer, issuerKey, subject, publicKey, extensions }: CertificateParts): string {
  const dayMs = 86_400_000;
  const body = sequence(
    tag(0xa0, tag(0x02, Buffer.of(2))),
    tag(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])),
    ecdsaWithSha256,
    distinguishedName(issuer),
    sequence(time(Date.now() - dayMs), time(Date.now() + validDays * dayMs)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tag(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuerKey);
  const whole = sequence(body, ecdsaWithSha256, tag(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function tag(number: number, content: Buffer): Buffer {
  const { length } = content;
  const long = length < 256 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
  const size = length < 128 ? Buffer.of(length) : long;
  return Buffer.concat([Buffer.of(number), size, content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tag(0x30, Buffer.concat(parts));
}

function identifier(hex: string): Buffer {
  return tag(0x06, Buffer.from(hex, 'hex'));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tag(0x31, sequence(identifier('550403'), tag(0x0c, Buffer.from(commonName)))));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  return tag(0x18, Buffer.from(digits));
}

function extension(hex: string, critical: boolean, content: Buffer): Buffer {
  const flag = critical ? [tag(0x01, Buffer.of(0xff))] : [];
  return sequence(identifier(hex), ...flag, tag(0x04, content));
}

const ecdsaWithSha256 = sequence(identifier('2a8648ce3d040302'));
const names = extension(
  '551d11',
  false,
  sequence(tag(0x82, Buffer.from('localhost')), tag(0x87, Buffer.of(127, 0, 0, 1))),
);
const purposes = extension(
  '551d25',
  false,
  sequence(identifier('2b06010505070301'), identifier('2b06010505070302')),
);
