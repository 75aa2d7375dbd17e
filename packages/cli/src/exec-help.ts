/** What `mayfly exec --help` prints. */
export const EXEC_HELP = `Run a command with the tokens of its build.

  mayfly exec [OPTIONS] -- COMMAND [ARGUMENTS]

Each token that the build declares is in a variable and in a file that is kept fresh while the command runs.
Tokens and secrets are masked in what the command prints. Signals, standard input and the exit code pass through.

Where the tokens come from (the first that is there)
  --grant FILE                  the grant as the CI received it; - reads it from standard input
  MAYFLY_ID_TOKEN_REQUEST_URL, MAYFLY_ID_TOKEN_REQUEST_TOKEN
  ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN
  VELA_ID_TOKEN_REQUEST_URL, VELA_ID_TOKEN_REQUEST_TOKEN

Options (and the variable that can stand for one)
  --config FILE                 pass what id_tokens: and secrets: of this agent-config.yml declare, and nothing else;
                                secrets are read from Vault (VAULT_SERVER_URL, VAULT_AUTH_ROLE, VAULT_AUTH_PATH,
                                VAULT_NAMESPACE), and its token is revoked when the command ends
  --job NAME                    the job that is meant, where FILE is a .gitlab-ci.yml
  --id-token NAME=AUDIENCE      one more token, as $NAME and $NAME_FILE, or in place of a declared one; may be repeated
  --mask NAME                   mask the value of this variable; at least 8 characters; may be repeated
  --no-mask                     mask nothing, and hand our own output to the command
  --no-relay                    give the command the address and the request token of the grant themselves, for what
                                runs in a network of its own: tokens that it fetches with them are not masked
  --timeout SECONDS             how long to try to reach the issuer (HTTPS_PROXY and NO_PROXY are heeded); 15 if left out
  --aws-audience AUDIENCE       a token for AWS (MAYFLY_AWS_AUDIENCE); sts.amazonaws.com with --aws-role
  --aws-role ARN                the role to take (AWS_ROLE_ARN)
  --aws-session-name NAME       the name of the session (AWS_ROLE_SESSION_NAME); mayfly-BUILD if left out
  --google-provider NAME        a token for Google Cloud (MAYFLY_GOOGLE_PROVIDER):
                                projects/N/locations/global/workloadIdentityPools/P/providers/P
  --google-audience AUDIENCE    its audience (MAYFLY_GOOGLE_AUDIENCE); the provider if left out
  --google-service-account EMAIL  the account to act as (MAYFLY_GOOGLE_SERVICE_ACCOUNT)
  --google-token-url URL        where it is exchanged; https://sts.googleapis.com/v1/token if left out
  --google-executable           let Google's SDK run mayfly for each token, in place of the file
  --azure                       a token for Azure, for audience api://AzureADTokenExchange
  --azure-audience AUDIENCE     the same for another audience (MAYFLY_AZURE_AUDIENCE)

Variables that the command gets; one that is set otherwise already stays as it is, with a warning
  NAME, NAME_FILE               each declared token, and the path of its file; where the build declares one token,
                                also under the name that the grant gives it (variables.token)
  MAYFLY_ID_TOKEN_REQUEST_URL, MAYFLY_ID_TOKEN_REQUEST_TOKEN, and the same two under each name that the grant gives
                                them (variables.request_url, variables.request_token: what the profile of the source
                                says); where --grant is left out, or the grant names none, as
  ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN and
  VELA_ID_TOKEN_REQUEST_URL, VELA_ID_TOKEN_REQUEST_TOKEN: the way to more tokens, by a relay of ours on 127.0.0.1,
                                which masks each one before it hands it out; the request token of the grant stays
                                with us, and the command gets one that is good for the relay alone
  no_proxy, NO_PROXY            with 127.0.0.1 added, where a proxy is set
  MAYFLY_MASK_SOCKET            where \`mayfly token\` has what it fetches masked
  AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME    for AWS
  GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES    for Google Cloud
  AZURE_FEDERATED_TOKEN_FILE    for Azure; AZURE_CLIENT_ID and AZURE_TENANT_ID pass through

What is masked: tokens, the parts of a token, request tokens and secrets: as they are, reversed, coloured, in hex,
escaped for a URL or for JSON, in base64 at any alignment and twice, in one line or wrapped. Text that may be the
beginning of a secret waits for what follows.
What is recognized but cannot be masked: a token spaced out, in base64 three times, compressed with gzip, or as a hex
dump. It is reported, and every token of the build ends.
What is not masked: a token fetched with a request token from elsewhere, and any other encoding.

At a terminal, where input, output and errors all are one, the command gets a terminal of its own, made by \`script\` of
util-linux: job control (Ctrl-Z) does not reach the shell. Without it, and wherever one of the three is no terminal, the
output of the command is a pipe: what colours only a terminal asks to be told (FORCE_COLOR=1, --color=always), and what
writes to a pipe in large pieces does so here (stdbuf -oL). --no-mask hands over our own output as it is.

Examples
  mayfly exec -- ./deploy.sh
  mayfly exec --aws-role arn:aws:iam::123456789012:role/deploy -- aws s3 ls
  mayfly exec --grant - -- make publish < grant.json
  mayfly exec --id-token VAULT_ID_TOKEN=https://vault.example --mask DB_PASSWORD -- ./migrate
`;
