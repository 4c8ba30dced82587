/** The rule for a `user_agent`, which is sent as it is (RFC 9110 §10.1.5); undefined if it is kept. */
export const userAgentProblem = (value: string): string | undefined =>
  /^[\x21-\x7E](?:[\x20-\x7E]*[\x21-\x7E])?$/.test(value)
    ? undefined
    : 'must be printable ASCII that neither begins nor ends with a space, as in "my-gateway/1.0"'
