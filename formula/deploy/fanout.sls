# A fanout: nginx serves the payloads that `deploy.preseed` brings here, and may fetch from another fanout, or from the
# master, what it has not got. docs/fanouts.md tells what to put into the pillar.

{%- set payload_dir = salt['config.get']('deployment_config:payload_dir') %}
{%- set fanout = salt['config.get']('deploy_fanout', {}) %}
{%- if not payload_dir %}

no directory for payloads:
  test.fail_without_changes:
    - name: >-
        set deployment_config:payload_dir in the pillar: nginx cannot look into the minion's cache directory
{%- else %}

nginx for payloads:
  pkg.installed:
    - name: nginx

{{ payload_dir | json }}:
  file.directory:
    - mode: '0711'  # who knows a name may read; nobody may list the names
    - makedirs: True

nginx site for payloads:
  file.managed:
    - name: /etc/nginx/conf.d/deploy-payloads.conf
    - source: salt://deploy/files/payloads.nginx
    - template: jinja
    - makedirs: True
    - context:
        payload_dir: {{ payload_dir | json }}
        listen: {{ fanout.get('listen', '8010') | string | json }}
        origin: {{ fanout.get('origin', '') | json }}
        cache_dir: {{ fanout.get('cache_dir', '/var/cache/nginx/deploy') | json }}
        cache_size: {{ fanout.get('cache_size', '20g') | json }}
        ca_bundle: {{ fanout.get('ca_bundle', '/etc/ssl/certs/ca-certificates.crt') | json }}
    - require:
      - pkg: nginx for payloads
      - file: {{ payload_dir | json }}

nginx serves payloads:
  service.running:
    - name: nginx
    - enable: True
    - reload: True
    - watch:
      - file: nginx site for payloads
{%- endif %}
