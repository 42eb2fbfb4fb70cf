/** More of a form is not looked into: one with a reference in it has some hundred bytes, and it is read on this thread. */
export const largestForm = 64 * 1024;

const multipart = /^\s*multipart\/form-data\s*(?:;|$)/i;

/** The type of a body that is a multipart form (RFC 7578), with its boundary; undefined for any other. */
export function multipartTypeOf(headers: readonly string[]): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    const value = headers[index + 1];
    if (headers[index]?.toLowerCase() === "content-type" && value !== undefined && multipart.test(value))
      return value;
  }
  return undefined;
}

/**
 * Every value of a field of that name, of files as well: who knows what a server makes of one. Read by the
 * runtime's parser (WHATWG's `formData()`), which refuses what is odd; undefined then. Nothing is dialled:
 * a `Response` that is made by hand is only a body with a type.
 */
export async function multipartValues(
  content: Buffer,
  type: string,
  name: string,
): Promise<readonly string[] | undefined> {
  if (content.length > largestForm) return undefined;
  try {
    const body = new Response(new Uint8Array(content), { headers: { "content-type": type } });
    // oxlint-disable-next-line typescript/no-deprecated -- warned of since it holds the whole body, which is here, and bounded
    const form = await body.formData();
    const values: string[] = [];
    for (const value of form.getAll(name))
      values.push(typeof value === "string" ? value : await value.text());
    return values;
  } catch {
    // The parser's own error may quote what it has read: it goes no further.
    return undefined;
  }
}
