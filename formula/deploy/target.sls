# A host that takes releases: each repo of its grain `deployment_target` is brought to the release that the
# master has pinned. Run by highstate, or at each start with `startup_states: sls` and `sls_list: [deploy.target]`,
# it lets a host that was down during a deploy catch up.

git for deployments:
  pkg.installed:
    - name: git

{%- set repos = salt['grains.get']('deployment_target', []) %}
{%- for repo in ([repos] if repos is string else repos) %}

release of {{ repo }}:
  deploy.pinned:
    - name: {{ repo | json }}
    - require:
      - pkg: git for deployments
{%- endfor %}
