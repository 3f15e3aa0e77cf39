// Classes of the program that may travel. Each is known by a type string of its own choice, never by the class name,
// which minifiers change. An instance is turned into plain data on one side and back on the other; a TypeScript peer
// that has not registered the type gets an `Unregistered`, an Erlang peer gets the plain data alone.
import { DGenError } from '../errors/error.ts';

export interface TermCodec<T extends object> {
  /** Stable, unique, part of the program's protocol: `'shop/order@1'`. */
  readonly type: string;
  /** Instances are recognised by exactly this class; a subclass needs a codec of its own. */
  readonly class: abstract new (
    ...args: never[]
  ) => T;
  /** Plain data, or anything else that can be encoded. A throw makes the value `not_encodable`. */
  encode(value: T): unknown;
  /** Called with data of a peer, which may be of any shape: check it. A throw makes the message `bad_term`. */
  decode(data: unknown): T;
}

type AnyCodec = TermCodec<object>;

/** The registered classes of one node. */
export class TermCodecs {
  private readonly byPrototype = new Map<unknown, AnyCodec>();
  private readonly byType = new Map<string, AnyCodec>();

  /** Throws `badarg` when the type is empty, or the type or class is registered already. */
  register<T extends object>(codec: TermCodec<T>): this {
    const prototype: unknown = codec.class.prototype;
    if (codec.type === '' || this.byType.has(codec.type) || this.byPrototype.has(prototype)) {
      throw new DGenError('badarg', 'the codec of a class', {
        expected: 'a type string and a class that are not registered yet',
        got: JSON.stringify(codec.type),
      });
    }
    const general = codec as unknown as AnyCodec;
    this.byType.set(codec.type, general);
    this.byPrototype.set(prototype, general);
    return this;
  }

  /** @internal */
  ofPrototype(prototype: unknown): AnyCodec | undefined {
    return this.byPrototype.get(prototype);
  }

  /** @internal */
  ofType(type: string): AnyCodec | undefined {
    return this.byType.get(type);
  }
}
