/**
 * - `called-off`: whoever asked withdrew right before the first byte.
 * - `given-up`: its signal was aborted.
 * - `no-connection`: lost before a byte was written.
 * - `broken`: the connection broke, or the answer was malformed, after bytes were written.
 * - `too-large`: the answer was larger than any of Presto's.
 * - `unexpected-status`: a status that does not say whether anything was done.
 * - `not-json`: a success without Presto's JSON: empty, a page, something else.
 * - `no-token`: a success that holds no token.
 * - `unusable-token`: a success whose token can't be sent.
 */
export type PrestoCallErrorCode =
  | "called-off"
  | "given-up"
  | "no-connection"
  | "broken"
  | "too-large"
  | "unexpected-status"
  | "not-json"
  | "no-token"
  | "unusable-token";

/**
 * Why a call of this process's own to Presto has no clear end. The message says what was
 * wrong and quotes nothing that was sent or came: an answer can hold a token, and an error
 * of Presto's can repeat the e-mail. Errors of undici are not kept as its cause, since they
 * may carry the bytes that came.
 */
export class PrestoCallError extends Error {
  override readonly name = "PrestoCallError";
  readonly code: PrestoCallErrorCode;

  constructor(code: PrestoCallErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
