import { systemCode } from "../errors.ts";
import { type BoundedRead, readBounded } from "../files/io.ts";
import { StalledError } from "../files/stalls.ts";
import { Secret, withoutLineEnd } from "../secret.ts";
import { StoreError } from "./contract.ts";

/** A secret given by value, or by the path of a file that is read again when it changes. */
export type SecretSource =
  | { readonly kind: "value"; readonly secret: Secret }
  | {
      readonly kind: "file";
      readonly path: string;
      /** What names the file in the configuration: whoever reads a message knows what to set right. */
      readonly variable?: string;
    };

/** The file, as messages name it. */
export function describeFile({ path, variable }: Extract<SecretSource, { kind: "file" }>): string {
  return variable === undefined ? path : `${path} (${variable})`;
}

/** Bytes. Far more than any token or list of keys; a path given by mistake is not read whole. */
const maxBytes = 64 * 1024;

/**
 * Reads a secret afresh. Of a file, one line end at its end is dropped, as editors and `echo`
 * add one; a value is taken as it is, for whoever read the configuration has done that.
 * Bytes are kept one to one (Latin-1): whoever checks the secret sees what is really there.
 *
 * `what` names it in messages: `token`, `store key`. Throws `StoreError`: `not-yet` where
 * the file is absent or empty, `unreadable` where it can't or must not be read.
 */
export async function readSecret(source: SecretSource, what: string): Promise<Secret> {
  if (source.kind === "value") return source.secret;
  const { path } = source;
  const file = describeFile(source);
  const read = await readMounted(source, what);
  switch (read.kind) {
    case "absent":
      throw new StoreError(
        "not-yet",
        `The ${what} file ${file} is not there yet. It is read as soon as it is.`,
      );
    case "link":
    case "not-a-file":
      throw new StoreError(
        "unreadable",
        `${file} is not a regular file. Name a file that holds the ${what}.`,
      );
    case "too-large":
      throw new StoreError(
        "unreadable",
        `${file} is larger than ${maxBytes} bytes. Name a file that holds the ${what} and nothing else.`,
      );
    case "content":
      // Contract: such files may be mounts, owned and readable as the platform likes. But who may write it chooses the secret.
      if ((read.mode & 0o022) !== 0) {
        throw new StoreError(
          "unreadable",
          `${file} may be written by its group or by others (mode ${formatMode(read.mode)}), so the ${what} in it can't be trusted. Run: chmod go-w ${path}`,
        );
      }
  }
  const text = withoutLineEnd(read.bytes.toString("latin1"));
  if (text === "") {
    throw new StoreError(
      "not-yet",
      `The ${what} file ${file} is empty for now. It is read again when it changes.`,
    );
  }
  return new Secret(text);
}

/** Permission bits as people write them: `0640`. */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

async function readMounted(
  source: Extract<SecretSource, { kind: "file" }>,
  what: string,
): Promise<BoundedRead> {
  try {
    return await readBounded(source.path, { maxBytes, followLink: true });
  } catch (error) {
    if (error instanceof StalledError)
      throw new StoreError(
        "unreachable",
        `The ${what} file ${describeFile(source)} could not be read: its file system does not answer. It is read as soon as it does.`,
        error,
      );
    const reason = systemCode(error) ?? "an unknown error";
    throw new StoreError(
      "unreadable",
      `The ${what} file ${describeFile(source)} could not be read (${reason}). See that the user of this process may read it, and that its folder is mounted.`,
      error,
    );
  }
}
