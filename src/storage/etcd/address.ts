// Addresses of stores in etcd, for configurations of one line:
//
//   etcd://[user:password@]host[:port][,host[:port]...][/prefix]
//   etcds://…   the same over TLS; ?ca=PATH&cert=PATH&key=PATH&serverName=NAME where the defaults do not fit
//
// User, password and prefix are percent-encoded. An error never repeats the address, for it may hold a password.
import { DGenError } from '../../errors/error.ts';
import type { EtcdOptions, EtcdTlsOptions } from './options.ts';

const form = 'etcd://[user:password@]host:port[,host:port...][/prefix], or etcds://';
const tlsNames = ['ca', 'cert', 'key', 'serverName'];

/** The options that an address stands for. Throws `bad_option`. */
export function etcdOptionsOf(address: string): EtcdOptions {
  const [, scheme, authority = '', path = '', query] =
    /^(etcds?):\/\/([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/s.exec(address) ?? malformed('another form');
  const at = authority.lastIndexOf('@');
  const prefix = decode(path.replace(/\/+$/, ''));
  return {
    endpoints: authority.slice(at + 1).split(','),
    ...(at >= 0 && credentialsOf(authority.slice(0, at))),
    ...(prefix !== '' && { prefix }),
    ...(scheme === 'etcds' ? { tls: tlsOf(query) } : refuseQuery(query)),
  };
}

function credentialsOf(text: string): { username: string; password: string } {
  const colon = text.indexOf(':');
  if (colon < 0) return malformed('a user without a password');
  return { username: decode(text.slice(0, colon)), password: decode(text.slice(colon + 1)) };
}

function tlsOf(query: string | undefined): EtcdTlsOptions {
  const entries = [...new URLSearchParams(query ?? '')];
  for (const [name] of entries) if (!tlsNames.includes(name)) malformed(`the parameter ${name}`);
  return Object.fromEntries(entries);
}

function refuseQuery(query: string | undefined): object {
  return query === undefined ? {} : malformed('parameters without TLS');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return malformed('a faulty percent-encoding');
  }
}

function malformed(got: string): never {
  throw new DGenError('bad_option', 'store address', { expected: form, got });
}
