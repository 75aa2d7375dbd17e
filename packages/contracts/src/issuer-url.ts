/** Takes the base URL of a deployment and a source; gives the source's issuer: `iss`, and where its documents stand. */
export function issuerUrl(baseUrl: string, source: string): string {
  return `${baseUrl}/${source}`;
}
