{#- What the tests want of the pillar stands in repos.json; JSON is YAML. DISK is the host's own disk, HOST its id. #}
{%- import_json 'repos.json' as said %}
{{ said | json | replace('DISK', opts.disks ~ '/' ~ opts.id) | replace('HOST', opts.id) }}
