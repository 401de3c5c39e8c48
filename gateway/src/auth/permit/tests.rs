use std::fmt::Write as _;

use prost::Message as _;

use super::*;

fn principal() -> PrincipalName {
    PrincipalName::new("ann").unwrap()
}

fn binding(role: Role, scope: &str, deny: bool) -> Binding {
    Binding { principal: principal(), role, scope: scope.parse().unwrap(), deny }
}

fn allowed(bindings: &[Binding], role: Role, scope: &str) -> bool {
    let bindings: Vec<&Binding> = bindings.iter().collect();
    holds(&principal(), &bindings, role, &scope.parse().unwrap()).is_ok()
}

/// Every method of every service that the gateway serves: ours from the definitions, and those of the standard services.
fn methods() -> Vec<String> {
    let set = prost_types::FileDescriptorSet::decode(isthmus_proto::DESCRIPTORS).unwrap();
    let mut methods: Vec<String> = set
        .file
        .iter()
        .flat_map(|file| {
            file.service.iter().flat_map(|service| {
                service
                    .method
                    .iter()
                    .map(|method| format!("/{}.{}/{}", file.package(), service.name(), method.name()))
            })
        })
        .chain(
            ["grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"].map(|method| format!("/{method}")),
        )
        .chain(
            ["v1", "v1alpha"]
                .map(|version| format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")),
        )
        .collect();
    methods.sort();
    methods
}

#[test]
fn the_table_of_method_and_role_is_what_was_reviewed() {
    let mut table = String::from(
        "# Who may call what. anon: no credential; agent: an agent's certificate; the roles: bound to `*`, and to one\n\
         # namespace; yes: allowed; ns: allowed where the binding holds; no: refused.\n",
    );
    writeln!(
        table,
        "{:62} {:5} {:5} | {:6} {:9} {:8} {:5} | {:6} {:9} {:8} {:5}",
        "method",
        "anon",
        "agent",
        "viewer",
        "developer",
        "operator",
        "admin",
        "viewer",
        "developer",
        "operator",
        "admin"
    )
    .unwrap();
    for path in methods() {
        let need = need(&path).unwrap_or_else(|| panic!("{path} has no entry in need()"));
        let word = |who: Who<'_>| match permit(who, need) {
            Ok(()) if matches!(need, Need::Role(_, Reach::Namespace)) => "ns",
            Ok(()) => "yes",
            Err(_) => "no",
        };
        let cells = |scope: &str| {
            Role::ALL.map(|role| {
                let binding = binding(role, scope, false);
                word(Who::Principal(&principal(), &[&binding]))
            })
        };
        let ([v, d, o, a], [nv, nd, no, na]) = (cells("*"), cells("public/default"));
        writeln!(
            table,
            "{:62} {:5} {:5} | {v:6} {d:9} {o:8} {a:5} | {nv:6} {nd:9} {no:8} {na:5}",
            path.trim_start_matches('/'),
            word(Who::Anonymous),
            word(Who::Agent),
        )
        .unwrap();
    }
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    let table = lines.join("\n") + "\n";
    insta::assert_snapshot!("method_by_role", table);
}

#[test]
fn a_method_that_nobody_listed_may_be_called_by_nobody() {
    for path in ["/isthmus.component.v1.FunctionService/Steal", "/x", "", "/isthmus.sync.v1.SyncService/"] {
        assert_eq!(need(path), None, "{path}");
    }
}

#[test]
fn a_deny_wins_over_every_allow() {
    let bindings = [binding(Role::Admin, "*", false), binding(Role::Developer, "public/prod", true)];
    assert!(allowed(&bindings, Role::Developer, "public/default"));
    assert!(allowed(&bindings, Role::Viewer, "public/prod"));
    assert!(!allowed(&bindings, Role::Developer, "public/prod"));
    assert!(!allowed(&bindings, Role::Admin, "public/prod"));
    assert!(!allowed(&bindings, Role::Developer, "public"), "a part of it is denied");
    assert!(!allowed(&bindings, Role::Developer, "*"), "a part of it is denied");
}

#[test]
fn a_role_holds_in_its_scope_with_all_lesser_roles_and_nowhere_else() {
    let bindings = [binding(Role::Developer, "public", false)];
    assert!(
        allowed(&bindings, Role::Viewer, "public/default") && allowed(&bindings, Role::Developer, "public")
    );
    assert!(!allowed(&bindings, Role::Operator, "public"));
    assert!(!allowed(&bindings, Role::Viewer, "other/default") && !allowed(&bindings, Role::Viewer, "*"));
}

#[test]
fn who_has_no_binding_is_told_what_is_missing() {
    let denied = holds(&principal(), &[], Role::Viewer, &"public/default".parse().unwrap()).unwrap_err();
    assert_eq!(denied.reason, Reason::Forbidden);
    assert_eq!(denied.message, "ann lacks the role viewer in public/default; ask an admin for a binding");
}
