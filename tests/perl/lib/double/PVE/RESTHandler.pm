package PVE::RESTHandler;

# As much of Proxmox VE's PVE::RESTHandler as tells which methods there are, and calls one with
# parameters that it takes.

use v5.36;

use PVE::Exception qw(raise_param_exc);

my %methods;

sub register_method($class, $info) {
    push $methods{$class}->@*, $info;
    return;
}

sub methods_of($class) {
    return $methods{$class}->@*;
}

sub call($class, $method, $path, $param = {}) {
    my ($info) = grep { $_->{method} eq $method && $_->{path} eq $path } $methods{$class}->@*;
    die "$class has no $method $path\n" if !defined($info);

    my $known = $info->{parameters}->{properties};
    my %errors = map { $_ => 'property is not defined in schema' } grep { !$known->{$_} } keys %$param;
    for my $name (grep { !$known->{$_}->{optional} && !defined($param->{$_}) } keys %$known) {
        $errors{$name} = 'property is missing and it is not optional';
    }
    raise_param_exc(\%errors) if %errors;
    return $info->{code}->($param);
}

1;
