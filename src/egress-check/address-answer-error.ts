/**
 * - `no-connection`: not a byte was sent.
 * - `no-answer`: sent, and nothing whole came in time.
 * - `status`: an answer other than 200; redirects are not followed.
 * - `html`: a page for people.
 * - `too-large`: more than an address ever takes.
 * - `not-an-address`: text that is none, or one that no connection comes from.
 * - `not-json`, `no-ip`: JSON that can't be read, or has no `ip` of its own.
 */
export type AddressAnswerCode =
  | "no-connection"
  | "no-answer"
  | "status"
  | "html"
  | "too-large"
  | "not-an-address"
  | "not-json"
  | "no-ip";

/** A check URL that did not answer with an address. The message is for people and quotes nothing that came. */
export class AddressAnswerError extends Error {
  override readonly name = "AddressAnswerError";
  readonly code: AddressAnswerCode;

  constructor(code: AddressAnswerCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
