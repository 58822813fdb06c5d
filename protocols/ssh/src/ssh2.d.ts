/** The parts of ssh2 that its own types leave out: the transport on its own, without its connection layer. */
declare module 'ssh2/lib/protocol/Protocol.js' {
  export interface HostKey {
    readonly type: string;
    getPublicSSH(): Buffer;
    /** The bare signature as OpenSSL makes it, or an Error. */
    sign(data: Buffer, hash?: string): Buffer | Error;
  }

  export interface Handlers {
    DISCONNECT?(protocol: Protocol, reason: number, text: string): void;
    SERVICE_REQUEST?(protocol: Protocol, name: string): void;
    SERVICE_ACCEPT?(protocol: Protocol, name: string): void;
    EXT_INFO?(protocol: Protocol, extensions: readonly { name: string; algs: readonly string[] }[]): void;
  }

  export interface Options {
    server?: boolean;
    hostKeys?: Record<string, HostKey>;
    ident: string;
    offer: object;
    onWrite(bytes: Uint8Array): void;
    /** Our patch: memory for packets of the native ciphers. */
    alloc?(size: number): Buffer;
    onError(error: Error): void;
    onHandshakeComplete(): void;
    hostVerifier?(key: Buffer): boolean;
    messageHandlers: Handlers;
  }

  export default class Protocol {
    constructor(options: Options);
    start(): void;
    parse(bytes: Buffer, start: number, end: number): void;
    cleanup(): void;
    rekey(): void;
    service(name: string): void;
    serviceAccept(name: string): void;
    channelData(channel: number, data: Buffer): void;
    channelExtData(channel: number, data: Buffer, type: number): void;
    /** Given each payload of an encrypted packet, whole. */
    _onPayload(payload: Buffer): unknown;
    /** Of a key exchange that is not over. */
    readonly _kexinit: Buffer | undefined;
    /** The identification line of the peer, once it has come. */
    readonly _remoteIdentRaw?: Buffer;
    readonly _kex: { readonly sessionID: Buffer };
    readonly _packetRW: {
      readonly write: { readonly allocStart: number; alloc(size: number): Buffer; finalize(packet: Buffer): Buffer };
    };
  }
}

// CommonJS whose names Node cannot tell from outside: each comes as one default export.
declare module 'ssh2/lib/protocol/kex.js' {
  const kex: { readonly KexInit: new (offer: object) => object };
  export default kex;
}

declare module 'ssh2/lib/protocol/crypto.js' {
  const crypto: { readonly init: Promise<void>; readonly bindingAvailable: boolean };
  export default crypto;
}

declare module 'ssh2/lib/protocol/utils.js' {
  import type Protocol from 'ssh2/lib/protocol/Protocol.js';

  const utils: { sendPacket(protocol: Protocol, packet: Buffer): boolean };
  export default utils;
}

declare module 'ssh2/lib/protocol/keyParser.js' {
  interface ParsedKey {
    readonly type: string;
    getPublicSSH(): Buffer;
    getPrivatePEM(): string | null;
  }
  const parser: { parseKey(text: string): ParsedKey | ParsedKey[] | Error };
  export default parser;
}
