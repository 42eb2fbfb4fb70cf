import { Problem, systemCode } from "../errors.ts";

/** The problem of a request that Node's HTTP parser or its timers refused; the parser's words go to the log only. */
export function toClientProblem(error: Error): Problem {
  switch (systemCode(error)) {
    case "HPE_HEADER_OVERFLOW":
      return new Problem("headers-too-large", {
        detail: "the request's head is larger than 16 KiB; send fewer or shorter fields",
        cause: error,
      });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new Problem("request-timeout", {
        detail: "the request was not complete in time; nothing was sent",
        cause: error,
      });
    default:
      return new Problem("bad-request", {
        detail: "this is not a well-formed HTTP/1.1 request; nothing was sent",
        cause: error,
      });
  }
}
