# This extension in Salt's own Python, also after an upgrade of Salt's packages has replaced that. The master has this
# file in its file_roots, so it is there when the extension is not. Pillar, all optional:
#   saltext_deploy: {package: saltext-deploy, version: 0.2.0, index_url: ..., find_links: ..., service: salt-minion}

{%- set wanted = salt['pillar.get']('saltext_deploy', {}) %}
{%- set service = wanted.get('service', 'salt-minion') %}

extension for deploys:
  pip.installed:
    - name: {{ (wanted.get('package', 'saltext-deploy') ~ ('==' ~ wanted.version if wanted.version is defined else '')) | json }}
    - reload_modules: True
{%- for key in ('index_url', 'find_links') if wanted.get(key) %}
    - {{ key }}: {{ wanted[key] | json }}
{%- endfor %}
{%- if wanted.get('find_links') and not wanted.get('index_url') %}
    - no_index: True
{%- endif %}

# In the background, or this very run would end with the minion that it reports to.
{{ service }} takes it up:
  cmd.run:
    - name: sleep 5; salt-call --local service.restart {{ service | json }}
    - bg: True
    - onchanges:
      - pip: extension for deploys
