# The page that shows deploys, for the host of salt-api; docs/web.md says what salt-api needs.
{% set deployment = salt['pillar.get']('deployment_config', {}) %}
{% set place = deployment.get('page_dir', '/usr/local/share/saltext-deploy/page') %}

page of deploys:
  file.recurse:
    - name: {{ place | json }}
    - source: salt://deploy/page
    - clean: True
    - makedirs: True
    - dir_mode: '0755'
    - file_mode: '0644'
