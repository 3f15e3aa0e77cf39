// The messages of etcd's third API that are used here, and their description for the gRPC packages: names, numbers and types of
// the fields, nothing else. Integers of 64 bits are decimal text on this side, so that none is rounded; bytes are arrays.
import type { Bytes } from '../port.ts';

export interface Header {
  readonly cluster_id: string;
  /** Of the store when the request was carried out. */
  readonly revision: string;
}

/** What replies have in common; proto3 may leave a header out. */
export interface Reply {
  readonly header: Header | null;
}

export interface RangeRequest {
  readonly key: Bytes;
  /** Absent: only `key`. */
  readonly range_end?: Bytes;
  readonly limit?: number;
  /** Absent: the newest. */
  readonly revision?: string;
  readonly sort_order?: 'NONE' | 'ASCEND' | 'DESCEND';
  readonly keys_only?: boolean;
}

export interface KeyValue {
  readonly key: Bytes;
  readonly value: Bytes;
  readonly mod_revision: string;
}

export interface RangeReply extends Reply {
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export interface Compare {
  readonly result: 'EQUAL' | 'LESS';
  readonly target: 'MOD';
  readonly key: Bytes;
  /** With it the comparison has to hold for each key of the range; of a missing key the revision is 0. */
  readonly range_end?: Bytes;
  readonly mod_revision: string;
}

export type RequestOp =
  | { readonly request_range: RangeRequest }
  | { readonly request_put: { readonly key: Bytes; readonly value: Bytes; readonly lease?: string } }
  | { readonly request_delete_range: { readonly key: Bytes; readonly range_end?: Bytes } }
  | { readonly request_txn: TxnRequest };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnReply extends Reply {
  readonly succeeded: boolean;
  readonly responses: readonly { readonly response_range?: RangeReply }[];
}

export interface StatusReply extends Reply {
  /** Such as "3.4.23". */
  readonly version: string;
  /** "0" when the member knows of none. */
  readonly leader: string;
  /** Alarms among them, as text. */
  readonly errors: readonly string[];
  readonly isLearner: boolean;
}

export interface LeaseReply extends Reply {
  readonly ID: string;
}

export interface AuthenticateReply extends Reply {
  readonly token: string;
}

export interface WatchRequest {
  readonly create_request: {
    readonly key: Bytes;
    readonly range_end: Bytes;
    readonly start_revision: string;
    /** The server may tell of one revision in several replies. */
    readonly fragment: boolean;
  };
}

export interface WatchReply extends Reply {
  readonly created: boolean;
  readonly canceled: boolean;
  /** Above 0: the revision asked for is forgotten, and this is the oldest one that is not. */
  readonly compact_revision: string;
  readonly cancel_reason: string;
  /** More of the last revision is to come. */
  readonly fragment: boolean;
  readonly events: readonly { readonly kv: KeyValue | null }[];
}

/** Requests and replies of the methods with one of each. */
export interface Methods {
  readonly Range: { readonly request: RangeRequest; readonly reply: RangeReply };
  readonly Txn: { readonly request: TxnRequest; readonly reply: TxnReply };
  readonly LeaseGrant: { readonly request: { readonly TTL: number }; readonly reply: LeaseReply };
  readonly Status: { readonly request: Record<string, never>; readonly reply: StatusReply };
  readonly Authenticate: {
    readonly request: { readonly name: string; readonly password: string };
    readonly reply: AuthenticateReply;
  };
}

export type Method = keyof Methods;

/** Where each method lives. */
export const services: Readonly<Record<Method | 'Watch', string>> = {
  Range: 'etcdserverpb.KV',
  Txn: 'etcdserverpb.KV',
  LeaseGrant: 'etcdserverpb.Lease',
  Status: 'etcdserverpb.Maintenance',
  Authenticate: 'etcdserverpb.Auth',
  Watch: 'etcdserverpb.Watch',
};

type Field = readonly [name: string, type: string, number: number];

const message = (...fields: readonly Field[]): object => ({
  fields: Object.fromEntries(
    fields.map(([name, type, id]) => {
      const repeated = type.endsWith('[]');
      return [name, { type: repeated ? type.slice(0, -2) : type, id, ...(repeated && { rule: 'repeated' }) }];
    }),
  ),
});

/** A message of which one field is set. */
const union = (name: string, ...fields: readonly Field[]): object => ({
  ...message(...fields),
  oneofs: { [name]: { oneof: fields.map(([field]) => field) } },
});

const values = (...names: readonly string[]): object => ({
  values: Object.fromEntries(names.map((name, number) => [name, number])),
});

const service = (name: string, request = `${name}Request`, reply = `${name}Response`): object => ({
  [name]: { requestType: request, responseType: reply },
});

const stream = { requestStream: true, responseStream: true };
const header: Field = ['header', 'ResponseHeader', 1];

const mvccpb = {
  KeyValue: message(['key', 'bytes', 1], ['mod_revision', 'int64', 3], ['value', 'bytes', 5]),
  Event: message(['kv', 'KeyValue', 2]),
};

const etcdserverpb = {
  KV: { methods: { ...service('Range'), ...service('Txn') } },
  Lease: { methods: service('LeaseGrant') },
  Maintenance: { methods: service('Status') },
  Auth: { methods: service('Authenticate') },
  Watch: {
    methods: { Watch: { requestType: 'WatchRequest', responseType: 'WatchResponse', ...stream } },
  },
  ResponseHeader: message(['cluster_id', 'uint64', 1], ['revision', 'int64', 3]),
  SortOrder: values('NONE', 'ASCEND', 'DESCEND'),
  RangeRequest: message(
    ['key', 'bytes', 1],
    ['range_end', 'bytes', 2],
    ['limit', 'int64', 3],
    ['revision', 'int64', 4],
    ['sort_order', 'SortOrder', 5],
    ['keys_only', 'bool', 8],
  ),
  RangeResponse: message(header, ['kvs', 'mvccpb.KeyValue[]', 2], ['more', 'bool', 3]),
  PutRequest: message(['key', 'bytes', 1], ['value', 'bytes', 2], ['lease', 'int64', 3]),
  DeleteRangeRequest: message(['key', 'bytes', 1], ['range_end', 'bytes', 2]),
  RequestOp: union(
    'request',
    ['request_range', 'RangeRequest', 1],
    ['request_put', 'PutRequest', 2],
    ['request_delete_range', 'DeleteRangeRequest', 3],
    ['request_txn', 'TxnRequest', 4],
  ),
  ResponseOp: union('response', ['response_range', 'RangeResponse', 1]),
  CompareResult: values('EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL'),
  CompareTarget: values('VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE'),
  Compare: message(
    ['result', 'CompareResult', 1],
    ['target', 'CompareTarget', 2],
    ['key', 'bytes', 3],
    ['mod_revision', 'int64', 6],
    ['range_end', 'bytes', 64],
  ),
  TxnRequest: message(
    ['compare', 'Compare[]', 1],
    ['success', 'RequestOp[]', 2],
    ['failure', 'RequestOp[]', 3],
  ),
  TxnResponse: message(header, ['succeeded', 'bool', 2], ['responses', 'ResponseOp[]', 3]),
  WatchCreateRequest: message(
    ['key', 'bytes', 1],
    ['range_end', 'bytes', 2],
    ['start_revision', 'int64', 3],
    ['fragment', 'bool', 8],
  ),
  WatchRequest: union('request_union', ['create_request', 'WatchCreateRequest', 1]),
  WatchResponse: message(
    header,
    ['created', 'bool', 3],
    ['canceled', 'bool', 4],
    ['compact_revision', 'int64', 5],
    ['cancel_reason', 'string', 6],
    ['fragment', 'bool', 7],
    ['events', 'mvccpb.Event[]', 11],
  ),
  LeaseGrantRequest: message(['TTL', 'int64', 1]),
  LeaseGrantResponse: message(header, ['ID', 'int64', 2]),
  StatusRequest: message(),
  StatusResponse: message(
    header,
    ['version', 'string', 2],
    ['leader', 'uint64', 4],
    ['errors', 'string[]', 8],
    ['isLearner', 'bool', 10],
  ),
  AuthenticateRequest: message(['name', 'string', 1], ['password', 'string', 2]),
  AuthenticateResponse: message(header, ['token', 'string', 2]),
};

/** For `fromJSON` of `@grpc/proto-loader`. */
export const description: { readonly nested: object } = {
  nested: { mvccpb: { nested: mvccpb }, etcdserverpb: { nested: etcdserverpb } },
};
