//! `binding …`.

use isthmus_proto::access::v1::{
    Binding as WireBinding, CreateBindingRequest, DeleteBindingRequest, Role as WireRole,
};

use super::{Context, get};
use crate::args::{Binding, BindingArgs, Resource, Role};
use crate::client::Bound;
use crate::error::Error;
use crate::output::Output;
use crate::view;

pub(super) async fn run(context: &Context<'_>, args: Binding) -> Result<Output, Error> {
    let client = context.client().await?;
    match args {
        Binding::List => Ok(Output::Listings(vec![get::other(&client, Resource::Bindings, &[], "").await?])),
        Binding::Create(args) => {
            let binding = wire(args);
            let request = CreateBindingRequest { binding: Some(binding.clone()) };
            let answer = client.access(Bound::Unary).create_binding(request).await;
            client.answer(format!("binding {}", binding.principal), answer)?;
            Ok(said(&binding, "added"))
        }
        Binding::Delete(args) => {
            let binding = wire(args);
            let request = DeleteBindingRequest { binding: Some(binding.clone()) };
            let answer = client.access(Bound::Unary).delete_binding(request).await;
            client.answer(format!("removing a binding of {}", binding.principal), answer)?;
            Ok(said(&binding, "removed"))
        }
    }
}

fn wire(BindingArgs { principal, role, scope, deny }: BindingArgs) -> WireBinding {
    let role = match role {
        Role::Viewer => WireRole::Viewer,
        Role::Developer => WireRole::Developer,
        Role::Operator => WireRole::Operator,
        Role::Admin => WireRole::Admin,
    };
    WireBinding { principal, role: role.into(), scope, deny }
}

fn said(binding: &WireBinding, word: &str) -> Output {
    let effect = if binding.deny { "is denied" } else { "is" };
    let (role, principal, scope) = (view::access::role(binding), &binding.principal, &binding.scope);
    Output::said(
        format!("{word}: {principal} {effect} {role} in {scope}"),
        view::access::binding_value(binding),
    )
}
