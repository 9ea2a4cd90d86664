# A deployment server: people stage and tag releases below `parent_dir`, the master reads them there.
# The owner is the grain `deployment_repo_user`, as with Trebuchet; without it, root. `deploy.deployment_server_init` makes
# repositories of the directories, with mode 2775: so no mode is said here.

{%- set parent_dir = salt['config.get']('deployment_config:parent_dir', '/srv/deployment') %}
{%- set owner = salt['grains.get']('deployment_repo_user', 'root') %}

git for deployments:
  pkg.installed:
    - name: git

{{ parent_dir }}:
  file.directory:
    - user: {{ owner | json }}
    - mode: '0755'
    - makedirs: True

{%- for repo in salt['config.get']('repo_config', {}) %}

{{ parent_dir }}/{{ repo }}:
  file.directory:
    - user: {{ owner | json }}
    - makedirs: True
    - require:
      - file: {{ parent_dir }}
{%- endfor %}
