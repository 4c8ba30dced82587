/** How many tokens a `TokenEndpoint` has issued so far. */
export const issuedTokens = async (endpointUrl: string): Promise<number> =>
  Number(await (await fetch(`${endpointUrl}/issued`)).text())
