# Completion of `git deploy` and `saltdeploy` for bash. Source it, or put it to where bash-completion looks.
# git's own completion calls _git_deploy for `git deploy`.

_deploy_subcommands="abort attach finish help hotfix lock log login report revert rollback service show show-tag start status sync unlock"
_deploy_functions="abort adopt answer changes checkout doctor export fetch forget gc import_scap init lock locks log maintenance next_tag overview plan preseed promote readmit report restart resume rollback services show sources stage status story suspend suspended sync targets unlock verify versions watch"

_deploy_options() {
    case "$1" in
    abort) echo "--noreset --force" ;;
    finish) echo "--take-over" ;;
    hotfix) _deploy_tags ;;
    help) echo "$_deploy_subcommands" ;;
    report) echo "sync service --detailed" ;;
    revert) echo "--message --take-over --noreset"; _deploy_tags ;;
    rollback) echo "--message --take-over"; _deploy_tags ;;
    service) echo "restart --batch" ;;
    show) echo "--all" ;;
    sync) echo "--force --message --take-over" ;;
    unlock) echo "--force --message" ;;
    esac
}

_deploy_tags() {
    git tag --sort=-creatordate 2>/dev/null | grep -v -e '-start-' | head -n 50
}

_git_deploy() {
    local current="${COMP_WORDS[COMP_CWORD]}" subcommand="" place
    for ((place = 1; place < COMP_CWORD; place++)); do
        [[ "${COMP_WORDS[place]}" == deploy && -z "$subcommand" ]] && subcommand="${COMP_WORDS[place + 1]}" && break
    done
    if [[ "${COMP_WORDS[COMP_CWORD - 1]}" == deploy ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$_deploy_subcommands" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(_deploy_options "$subcommand")" -- "$current")
    fi
}

_saltdeploy() {
    local current="${COMP_WORDS[COMP_CWORD]}"
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$_deploy_functions" -- "$current")
    elif [[ "$current" == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--out= --quiet --no-color --log-level=" -- "$current")
    else
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W "repo= tag= branch= commit= reason= limit= force= id= interactive=True detach=True" -- "$current")
    fi
}

complete -F _saltdeploy saltdeploy
