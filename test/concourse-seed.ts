/** The pipeline of Concourse's RFC for ID tokens, as it stands there. */
export const RFC_PIPELINE = `var_sources:
- name: hvjwt
  type: vault
  config:
    url: https://vault.example.com
    path_prefix: "/concourse"
    lookup_templates: ["/{{.Team}}/{{.Pipeline}}/{{.Secret}}", "/{{.Team}}/{{.Secret}}"]
    shared_path: "/shared/{{.Pipeline}}/{{.Secret}}"
    namespace: "/root"
    auth_path: "/auth/concourse"
    auth_type: "jwt"
    auth_role: "example"

jobs:
- name: use-vars
  plan:
  - task: use-vars
    config:
      platform: linux

      image_resource:
        type: mock
        source: {mirror_self: true}

      run:
        path: sh
        args:
        - -exc
        - |
          test "((hvjwt:some_secret.username))" = "hello-im-a-username"
          test "((hvjwt:"secret with_spaces.etc".some_key))" = "some-value"
`;
