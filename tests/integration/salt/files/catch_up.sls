# What a host does by itself: the release that it missed while it was down.
{%- for repo in pillar.get('repo_config', {}) if repo.startswith('catch_up') %}
{{ repo }}:
  deploy.pinned: []
{%- endfor %}

nothing else:
  test.nop: []
