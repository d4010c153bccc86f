package PVE::RESTHandler;

# A double of PVE::RESTHandler that lists methods and calls them with valid parameters. It checks results
# against the schema.

use v5.36;

use PVE::JSONSchema;

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

    PVE::JSONSchema::validate($param, $info->{parameters});
    my $result = $info->{code}->($param);
    PVE::JSONSchema::validate($result, $info->{returns}, "Result verification failed\n");
    return $result;
}

1;
