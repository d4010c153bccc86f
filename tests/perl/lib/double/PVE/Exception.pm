package PVE::Exception;

# As much of Proxmox VE's PVE::Exception as is used here.

use v5.36;

use overload '""' => sub($self, @) { $self->stringify() }, fallback => 1;

sub raise_param_exc($errors) {
    my $fields = { code => 400, msg => "Parameter verification failed.\n", errors => $errors };
    die bless $fields, __PACKAGE__;
}

sub is_param_exc($self) {
    return ($self->{code} // 0) == 400;
}

sub stringify($self) {
    my $errors = $self->{errors};
    return join('', "$self->{code} $self->{msg}", map { "$_: $errors->{$_}\n" } sort keys %$errors);
}

1;
