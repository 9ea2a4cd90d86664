{#- `make demo` renders this very file. Its master's configuration has a section `deploy_demo`, since there all
    hosts share one disk and the repository lies on it; anywhere else the section is missing and the values
    are the ones that stand here. Leave these two lines and every `demo` out of your own pillar. #}
{%- set demo = opts.get('deploy_demo', {}) %}
{%- set disk = demo.hosts ~ '/' ~ opts.id if demo else '' %}

# What the deployment system reads from the pillar: all keys, with their defaults where they are commented out.
# Trebuchet's pillar works unchanged. A wrong key or value is one error that names its path, for example
# `repo_config:demo:slotz`.

deployment_config:
  # Where repos without a `location` of their own live.
  parent_dir: {{ disk }}/srv/deployment

  # Site -> deployment server. The minion's grain `site` chooses; without the grain it is the first one.
  servers:
    eqiad: deploy1.example.org
    codfw: deploy2.example.org

  # When nothing may be deployed, of any repo: {from: 2026-12-23, until: 2027-01-02, reason: holidays}
  # freeze: []

  # Who serves payloads besides the master (docs/fanouts.md); minions with that role, or any web server:
  #   - {url: 'http://__HOST__:8010', targets: 'fan*', site: eqiad}
  #   - {url: 'https://payloads.codfw.example.org/deploy', site: codfw}
  # fanouts: []

  # Where a minion keeps payloads, for others or for later (default: below its cache directory).
  # payload_dir: null

  # What a transfer keeps to: {rate: 12500000, fleet_rate: 125000000, jitter: 5, nice: 10} are bytes per second of a host and
  # of all hosts that fetch at once, seconds, and niceness.
  # transfer: {}

  # How far it is to a host, by its grain `site`, for `transport: auto` (docs/transports.md):
  #   {codfw: {rate: 12.5MB, rtt: 40ms}, default: {rate: 100MB}}
  # links: {}
  # What swarms keep to (docs/swarm.md): {ports: 6881-6889, upload: 12500000, least: 4194304}
  # swarm: {}

  # Releases are signed with this key of the master, and targets take nothing that none of release_keys has signed
  # (docs/trust.md): the path of a private key on the master, and a list of public keys in PEM.
  # signing_key: null
  # release_keys: []

  # How long `deploy.gc` lets the journals of deploys be: a repo's newest ones stay, and younger ones (docs/operations.md).
  # journals: {deploys: 1000, days: 90}

  # Trebuchet's redis, for dashboards that read it: the engine `deploy` fills it (docs/redis.md).
  # redis: {host: redis.example.org, port: 6379, db: 0, socket_connect_timeout: 5}
  # What other systems hear of deploys: chat, forges, metrics, programs (docs/signals.md).
  # Deploys are begun inside tmux or screen alone: true; or said to be better there: warn.
  # require_terminal_multiplexer: false
  # signals: {irc: {host: tcpircbot.example.org}, prometheus: {port: 9469}}

  # Who may do what with all repos: users, %groups, minion:ID by peer_run. Without any roles whoever Salt lets in may do
  # everything (docs/roles.md).
  # roles: {operator: [bob], admin: ['%site-ops']}

repo_config:

  # The name of a repo is what one types: salt-run deploy.sync repo=demo tag=v1
  # Its targets are the minions whose grain `deployment_target` lists that name.
  demo:
    # Where the master reads tags from: a path or a URL (default: the staging repository below `parent_dir`
    # when this host has one, else `upstream`).
    source: {{ demo.get('source', 'https://git.example.org/demo.git') | json }}

    # Where targets fetch from with `transport: git` (default: <type>://<server of the site>/<repo>).
    url: {{ demo.get('url', 'https://git.example.org/demo.git') | json }}

    # The live path on a target (default: <parent_dir>/<repo>).
    # With `layout: slots` it is a symbolic link; its trees lie beside it, in .<basename>.deploy
    location: {{ disk }}/srv/www/demo

    # How releases travel: `bundle` (packed once by the master, through Salt's own file channel), `git` (each target
    # fetches from `url`), `tar` (one archive per release), `delta` (the difference of two archives), `rsync`
    # (from `rsync_url`), `squashfs` (a base image, and one of what has changed since), or `auto` (the cheapest for each
    # host). A group may have a transport of its own. `swarm` is `bundle` with hosts that give each other pieces of it
    # (docs/swarm.md); `tar+swarm`, `delta+swarm`, `squashfs+swarm` and `auto+swarm` likewise.
    # `deploy.sync ... transport=tar` overrides it once.
    transport: bundle

    # Where targets reach the exports of the master with `transport: rsync`: rsync://deploy1.example.org/exports, or
    # deploy1.example.org:/var/cache/salt/master/deploy/exports by ssh.
    # rsync_url: null

    # The key by which git reads them over ssh, and whom it may speak to (docs/deploy-keys.md):
    #   {key: 'sdb://vault/demo', known_hosts: 'git.example.org ssh-ed25519 AAAA...'}
    # deploy_key: null

    # How releases lie on a target's disk: `slots` (a few whole trees, recycled, switched by one rename), `releases` (a
    # directory for each release), `inplace` (Trebuchet's way: a work tree with .git at `location`; not atomic), or
    # `overlay` (layers mounted over each other, with `transport: squashfs`, `bundle` or `git`).
    layout: slots

    # How many trees `slots` keeps: 3 leaves the readers of the previous release undisturbed.
    # slots: 3

    # How many releases `releases` keeps, besides what is needed.
    # keep_releases: 5

    # How many releases `overlay` shows at once, the live one over older ones. For hosts that serve static files.
    # visible_releases: 1

    # Up to this many files, a fetch also compares all files that it did not write with its record.
    # stat_limit: 5000

    # How many hosts switch at once: a count (3) or a share (25%).
    batch: 50%

    # How many switch back at once, by `deploy.rollback` or when a deploy fails.
    # rollback_batch: 100%

    # How many hosts fetch at once.
    # fetch_batch: 100%

    # How many hosts may fail before the deploy is stopped: a count or a share. It counts in each group by itself.
    # failure_limit: 0

    # The order in which the targets switch. A group without `targets` takes the rest; `hold` (seconds, or `ask`) comes
    # before the next one. Each may have group_size, and batch, rollback_batch, failure_limit, on_inconclusive and transport of
    # its own in the place of the repo's. A roll back knows no holds.
    #   - {name: canary, targets: 'web1,web2', targets_type: list, hold: ask}
    #   - {name: default, batch: 25%, failure_limit: 2}
    # groups: []

    # What follows when too many hosts fail (rollback, hold or ask), and when an operator stops the deploy
    # (rollback or hold). A question that nobody answers in time gets its default.
    # on_failure: rollback
    # The same where it cannot be told whether they failed: hosts are silent, checks have no verdict. As on_failure says,
    # where nothing stands here.
    # on_inconclusive: null
    # on_abort: rollback
    # question_timeout: 3600

    # Guards are these. By how much of the files, or of their bytes, a release may be smaller; whether its tag must be signed; and when
    # nothing may be deployed ({from: 'Fri 16:00', until: 'Mon 08:00', reason: weekend}), in UTC.
    # max_removed: 50%
    # require_signed: false
    # freeze: []

    # Fanouts of this repo, beside those for all.
    # fanouts: []

    # Pointers of git-lfs, git-fat and git-annex that get their contents, and where those come from, first choice first
    # (docs/blobs.md):
    #   {lfs: ['http://fanout1.example.org/demo-lfs'], annex: ['fanout1.example.org::annex/demo']}
    # blobs: {}

    # With `checkout_submodules: true`: where submodules are fetched instead of where .gitmodules says
    # (docs/submodules.md), by the begins of URLs: {'https://github.com/acme/': 'https://git.example.org/mirrors/'}
    # submodule_urls: {}

    # Files that each host renders for each release, by pillar and grains (docs/config-files.md):
    #   [{path: config/local.ini, template: config/local.ini.j2, check: [php, -l, FILE]}]
    # config_files: null

    # Environments, each a repo of its own with the name demo@staging (docs/environments.md):
    #   {staging: {targets: 'stage*'}, production: {targets: 'web*', promote_after: 3600}}
    # environments: null
    # Seconds that a release must have run in another environment before `deploy.promote` brings it to this one.
    # promote_after: 0

    # What tells a host's users that it is being worked on (docs/services.md): {file: /run/demo.maintenance}, or commands
    # `on` and `off`; with `keep: true` a switch that fails leaves it on.
    # maintenance: null

    # Steps that run once in a deploy, in one place: on the master, on the first host, on a target expression (docs/steps.md):
    #   [{name: migrate, before: checkout, where: first, command: ./manage.py migrate, undo: ./manage.py migrate-back}]
    # once: null

    # What is the host's own and stays whatever is deployed (docs/layouts.md). Trees get links to it:
    #   {dirs: [uploads, var/cache], files: [config/local.ini], place: /srv/data/demo}
    # shared: {}

    # Where REVISION and DEPLOY_HEAD tell what is live: beside the trees, or none (docs/layouts.md).
    # exclude: []
    # assets: {}
    # subdirectory: ''
    # attributes: blobs
    # owner: {}
    # untracked: warn
    # revision_files: beside

    # How `deploy.next_tag`, and a deploy of a commit or a branch, call the next release: release, semver, scap, sync
    # or timestamp (docs/staging.md).
    # tag_scheme: release
    # Of the tags that were made on the master: so many stay at deploy.gc, besides those that are needed; 0: all.
    # keep_tags: 0
    # What `deploy.stage` makes releases of, where `source` is a plain directory that people edit (docs/staging.md).
    # stage: null
    # How long `deploy.gc` lets the journals of its deploys be, in place of what is said for all: {days: 30}
    # journals: {}

    # Seconds that a host may take for one stage.
    timeout: 120

    # A target expression in place of the grain. Grains are what a minion claims to be; list the ids, or match
    # the pillar, where a stranger must not get the release.
    # targets: 'web* and not web9'
    # targets_type: compound

    # Salt functions that a target calls after a stage; a failure fails the stage. An argument __REPO__ is the repo's name.
    # fetch_module_calls: {}
    # checkout_module_calls:
    #   test.echo: ['__REPO__']

    # What lets the processes of a host take up the release after the switch: services (`a, b=reload, c=stop-start, d=around`;
    # the key is `service_name`, shown below), then signals ({name: HUP, pidfile: /run/demo.pid}, or
    # {name: HUP, unit: demo.service}, or a list), then a command; then ports that must accept connections.
    # purpose: code
    # signal: null
    # restart_command: null
    # service_port: null
    # service_timeout: 120

    # Checks, each under its name, before or after fetch, checkout, restart or rollback (docs/checks.md):
    #   front-page: {type: http, after: restart, url: 'http://127.0.0.1/', host: www.example.org}
    # checks: {}

    # Who may deploy this repo, and who may bring it back: {deployer: [alice, '%web'], operator: [bob]} (docs/roles.md).
    # roles: null

    # What takes a host out of service before the switch, and back when it is well: a check of any kind.
    #   {type: salt, function: pool.leave}
    # depool: null
    # repool: null

    # Another value of `deployment_target` whose hosts take this repo too.
    # grain: null
{%- if demo.get('rollout') %}

    # Of `make demo` alone: a canary, and a check that a broken release fails there.
    groups: {{ demo.rollout.groups | json }}
    checks: {{ demo.rollout.checks | json }}
{%- endif %}

  # A section as Trebuchet knows it.
  test/testrepo:
    upstream: https://git.example.org/test/testrepo.git
    # How targets reach the deployment server: git-http, git-https, git-ssh or git.
    type: git-http
    # service_name: null
    # checkout_submodules: false
    # shadow_reference: false
    # gitfat_enabled: false
    # dependencies: {}
    # automated: false
    # sync_script: shared.py
    # deployment_repo_group: null
