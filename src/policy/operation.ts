/** A call that apps may make, as the table of operations knows it. */
export interface Operation {
  /** For logs and metrics: `wallet.confirm`, or `GET /path/{param}` for a configured one. */
  readonly name: string;
  readonly method: string;
  /** Path with `{param}` segments. */
  readonly template: string;
  /** Acting twice would move money twice: never left half-done, never called retryable when its fate is unknown. */
  readonly movesMoney: boolean;
  /**
   * How to ask what became of it: the JSON member of its request body that holds the
   * reference, and the path to ask at (`{reference}` is replaced).
   */
  readonly reconcile?: { readonly member: string; readonly path: string };
}
