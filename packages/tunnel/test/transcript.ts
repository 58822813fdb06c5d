import { FrameDecoder } from '../src/index.js';

/** One frame of a transcript: `>` is what the asking end sent, `<` what the answering end did. */
export interface Line {
  readonly from: '>' | '<';
  readonly bytes: Buffer;
}

/** Lines of `> hex  what it is`; `#` starts a comment. */
export function readTranscript(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    const [, from, hex] = /^([<>]) ([0-9a-f ]+?)(?: {2}.*)?$/.exec(line) ?? [];
    return from && hex ? [{ from: from as '>' | '<', bytes: Buffer.from(hex.replaceAll(' ', ''), 'hex') }] : [];
  });
}

/** `name stream payload` of each frame in these bytes; texts as such, numbers in decimal. */
export function describeFrames(bytes: readonly Buffer[]): string[] {
  const lines: string[] = [];
  const decoder = new FrameDecoder({
    data: (stream, piece) => void lines.push(`data ${stream} ${piece.toString()}`),
    frame: (name, stream, payload) => {
      const shown =
        name === 'credit'
          ? payload.readUInt32BE()
          : /ping|pong/.test(name)
            ? payload.toString('hex')
            : payload.toString();
      lines.push(`${name} ${stream} ${shown}`.trim());
    },
  });
  for (const one of bytes) decoder.push(one);
  return lines;
}
